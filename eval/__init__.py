"""Scoring: retrieval in the field's formats, answers by field, safety, speed. Offline."""
