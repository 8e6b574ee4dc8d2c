"""The config's schema: rules for columns, their types as text, CSV files read by them."""
