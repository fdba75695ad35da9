"""Where history comes from: public datasets and own files, what of them is read, and how."""
