"""Routers: what share objects ask for, and what to write so that they ask for another; pure."""
