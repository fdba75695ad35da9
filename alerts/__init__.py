"""What is worth saying, and how: rules, the engine that judges them, the wording, and the channels."""
