DROP TABLE coord_log;
