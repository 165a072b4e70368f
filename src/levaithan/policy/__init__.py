"""Rules beyond the hook's path: test them on cases, list and explain them. Imports no store and no service."""
