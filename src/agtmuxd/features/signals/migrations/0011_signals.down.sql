DROP TABLE cursors;
DROP TABLE signal_gaps;
DROP TABLE signals;
