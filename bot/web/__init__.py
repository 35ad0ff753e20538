"""What a browser or an HTTP client touches: the chat page, the pages behind its citations."""
