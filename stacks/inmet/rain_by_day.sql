-- Rain per day (UTC) and how intense it was in its wettest hour.
--
-- Classes and thresholds: American Meteorological Society, Glossary of Meteorology, "Rain"
-- (https://glossary.ametsoc.org/wiki/Rain): light up to 0.25 cm per hour, moderate 0.26 to 0.76 cm per hour, heavy over
-- 0.76 cm per hour. Its second criterion, the fall in six minutes, cannot be told from hourly sums, so a short heavy
-- shower may be classed lower than an observer would. A day without any measured hour has no class.
SELECT
  DATA AS day,
  round(sum(PRECIPITACAO_TOTAL), 1) AS rain_mm,
  count(PRECIPITACAO_TOTAL) AS hours_measured,
  max(PRECIPITACAO_TOTAL) AS wettest_hour_mm,
  CASE
    WHEN max(PRECIPITACAO_TOTAL) = 0 THEN 'none'
    WHEN max(PRECIPITACAO_TOTAL) <= 2.5 THEN 'light'
    WHEN max(PRECIPITACAO_TOTAL) <= 7.6 THEN 'moderate'
    WHEN max(PRECIPITACAO_TOTAL) > 7.6 THEN 'heavy'
  END AS intensity
FROM inmet
GROUP BY day
ORDER BY day;
