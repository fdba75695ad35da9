"""What was seen: looks at a source as they are written, held against earlier ones, and packed."""
