"""A pipeline function over dates: one day, many processes, other machines, and what is left beside the partials."""
