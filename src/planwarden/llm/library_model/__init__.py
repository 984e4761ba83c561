"""Any model that pydantic-ai knows; that library is an optional dependency."""
