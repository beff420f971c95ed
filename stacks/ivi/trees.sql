-- A tree's basal area is the area of its trunk's section at breast height (1.3 m), taken as a circle.
SELECT
  plot,
  tree,
  measured_on,
  plot_area_m2,
  species,
  family,
  dbh_cm,
  height_m,
  pi() / 4 * (dbh_cm / 100) ** 2 AS basal_area_m2
FROM input
