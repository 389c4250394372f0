"""Where the processor time of an accepted message goes: by part of the stack, and by step."""
