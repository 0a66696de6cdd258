"""Everything that is kept: the database, its tables, and one file of queries per noun."""
