"""What assets reach the world through: the lake, and the processes that do heavy work."""
