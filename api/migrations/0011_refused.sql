-- Trades that were refused and may be paid after all are looked at again: the last instruction of each.

CREATE INDEX operation_refused ON operation (instructed_at, id) WHERE state = 'refused';

CREATE INDEX operation_of_trade ON operation (trade, id);
