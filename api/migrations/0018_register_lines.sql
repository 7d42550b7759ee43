-- Lines of a register are joined with rows of one institution by pseudonym. With an index of each alone SQLite reads all rows of the
-- institution.
DROP INDEX investor_pseudonym;
CREATE INDEX investor_owner_pseudonym ON investor (owner, pseudonym);
