"""Substring search within one chat, by interchangeable backends that agree to the letter."""
