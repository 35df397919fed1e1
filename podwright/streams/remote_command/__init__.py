"""What Kubernetes says over the streams of exec and attach: protocol versions, exit status, terminal sizes."""
