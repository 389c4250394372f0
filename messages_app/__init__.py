"""Messages: numbered from 1 within their chat, each with a body kept byte for byte."""
