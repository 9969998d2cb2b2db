"""What to do: from a command's words to jobs. The way is

methods         which methods there are
settings        what a job fixes of training and testing
scales/         how large and how long, by protocol and method
tables/         which rows a table has
nested          nested dictionaries and dotted paths
overrides       what the user changes, and which rows it is for
job             one job as a value with a key
starting        the trained model that a job starts from
resolving       defaults < scale < overrides, to a job
expansion       a table's rows and seeds, as jobs
external        rows whose label maps were made elsewhere
fairness        whether the rows were given the same
yaml_text       YAML that people write, bounded
specifications  YAML files that describe tables, figures and studies
"""
