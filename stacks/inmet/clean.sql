-- The contract has named, typed and checked the columns already. An hour that was measured twice stays twice: nothing
-- in the file tells which of the two is right.
SELECT * FROM input;
