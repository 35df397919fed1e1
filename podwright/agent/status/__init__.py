"""The status of pods as the API shows it: built from what the runtime holds, kept, and sent where it is wanted."""
