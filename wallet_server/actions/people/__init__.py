"""Members: joining, leaving, being reached, cards lost and found, old cards, two that become one."""
