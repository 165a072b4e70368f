"""One file a schema version; each is kept for ever, because a ledger of that version may turn up."""
