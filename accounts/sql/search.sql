-- What a part of a name or an address is found by (accounts/partial_match.py). Indexes are made of
-- it: whoever changes what it returns has to build them anew.

CREATE OR REPLACE FUNCTION trigrams_of(words text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ARRAY(
    SELECT substr(lower(words), place, 3) FROM generate_series(1, length(words) - 2) AS place);
