"""Commands: `undeterred up`, `status`, `down` and administration."""
