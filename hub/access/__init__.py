"""Who is asking, and may they. Programs come with a key; people, sessions and grants come beside them."""
