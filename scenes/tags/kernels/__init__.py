"""The loops of the tags, compiled: closed visits into records, records into tags and stages."""
