"""A MODEL AND A GALLERY -> A PAGE AND AN HTTP API: what may be asked, by whom, and how much of it at once."""
