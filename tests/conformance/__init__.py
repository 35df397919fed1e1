"""What any CRI server must do, asked as a client asks: run against Podwright and against containerd."""
