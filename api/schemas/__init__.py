"""Bodies of requests and answers, in pydantic, for the calls that are not hot. The scan routes use msgspec."""
