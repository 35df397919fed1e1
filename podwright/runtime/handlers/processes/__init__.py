"""What handlers share whose containers are processes of this host: nothing here knows which runtime made them."""
