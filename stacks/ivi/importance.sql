-- The importance value index of each species: relative density + relative frequency + relative dominance, together 300.
--
-- Mueller-Dombois and Ellenberg, Aims and Methods of Vegetation Ecology (1974). Density counts trees, frequency is the
-- share of the plots in which the species stands, dominance is basal area; each is given relative to the sum over all
-- species, in per cent. A plot without a tree has no row in an inventory, so it cannot count here.
WITH
  plots AS (
    SELECT plot, arg_max(plot_area_m2, measured_on) AS area_m2 FROM trees GROUP BY plot
  ),
  sampled AS (
    SELECT count(*) AS plots, sum(area_m2) / 10000 AS area_ha FROM plots
  ),
  by_species AS (
    SELECT
      species,
      any_value(family) AS family,
      count(*) AS trees,
      count(DISTINCT plot) AS plots,
      sum(basal_area_m2) AS basal_area_m2
    FROM trees
    GROUP BY species
  ),
  relative AS (
    SELECT
      *,
      100 * trees / sum(trees) OVER () AS density,
      100 * plots / sum(plots) OVER () AS frequency,
      100 * basal_area_m2 / sum(basal_area_m2) OVER () AS dominance
    FROM by_species
  )
SELECT
  species,
  family,
  relative.trees,
  relative.plots,
  round(relative.trees / area_ha, 2) AS trees_per_ha,
  round(100 * relative.plots / sampled.plots, 2) AS plots_percent,
  round(basal_area_m2 / area_ha, 4) AS basal_area_m2_per_ha,
  round(density, 4) AS relative_density,
  round(frequency, 4) AS relative_frequency,
  round(dominance, 4) AS relative_dominance,
  round(density + frequency + dominance, 4) AS ivi
FROM relative, sampled
ORDER BY ivi DESC, species
