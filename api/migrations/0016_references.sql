-- Requests to cancel that come as messages name an instruction by its institution's own reference, or by its trade if it has none.

ALTER TABLE operation ADD COLUMN reference TEXT;

CREATE INDEX operation_reference ON operation (institution, reference);
