"""What we know: the warehouse and everything that is decided from its rows alone. Imports nothing of ours."""
