SELECT 1; -- the tables follow
