"""Turns public data sets, as their publishers ship them, into Hilum's form: one module per publisher.

    publisher's tree -> tree.Tree -> <publisher>.read -> records.Found -> splits -> run.import_data_set

`registry` lists them. A publisher's module knows its layout, its labels and what becomes of them; all
else (splits by patient, linking, writing whole or not at all) is shared.
"""
