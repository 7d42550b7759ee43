-- What stood here is sealed by now, in `personal`: the program does that between the migration before and this one.

ALTER TABLE investor DROP COLUMN corporate_number;
ALTER TABLE investor DROP COLUMN name;
ALTER TABLE investor DROP COLUMN address;
ALTER TABLE investor DROP COLUMN safekeeping_account;
ALTER TABLE investor DROP COLUMN contact_addressee;
ALTER TABLE investor DROP COLUMN contact_postal_code;
ALTER TABLE investor DROP COLUMN contact_address;
ALTER TABLE investor DROP COLUMN phone;
ALTER TABLE investor DROP COLUMN email;
ALTER TABLE investor DROP COLUMN bank_code;
ALTER TABLE investor DROP COLUMN bank_name_kana;
ALTER TABLE investor DROP COLUMN branch_code;
ALTER TABLE investor DROP COLUMN branch_name_kana;
ALTER TABLE investor DROP COLUMN deposit_kind;
ALTER TABLE investor DROP COLUMN account_number;
ALTER TABLE investor DROP COLUMN account_holder_kana;
