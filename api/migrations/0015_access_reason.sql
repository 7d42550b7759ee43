-- Why a file's rows are made, if they are personal data: for the access log, when they are.

ALTER TABLE import_file ADD COLUMN access_reason TEXT NOT NULL DEFAULT '';
