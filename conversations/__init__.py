"""Import and export of conversations as JSON lines; imports may be interrupted at any point."""
