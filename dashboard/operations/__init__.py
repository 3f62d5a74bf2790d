"""Operations: whether the service is well, and what explains it."""
