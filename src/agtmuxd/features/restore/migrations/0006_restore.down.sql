DROP TABLE restore_places;
