"""A CHECKPOINT -> WHAT IS SENT AND DEPLOYED: its folder, and in it the forms that other engines run."""
