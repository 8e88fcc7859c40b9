"""The Webview: the pages on which a user connects banks and chooses accounts."""
