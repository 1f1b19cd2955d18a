"""What we know about students. No network, no vendor names."""
