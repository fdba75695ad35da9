"""How a board is ranked: its definition, what everybody on it had, their places, and what is ranked again."""
