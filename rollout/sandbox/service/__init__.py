"""The sample service that pods of the practice cluster run: small, honest, and bad on demand."""
