"""As in logs and answers of the API, to the second; Django takes the names from here."""

DATETIME_FORMAT = "Y-m-d H:i:s"
DATE_FORMAT = "Y-m-d"
