"""The lineage: one module a stage, each with the checks it makes and the build it calls.

raw -> tables -> instructions -> adapters -> predictions -> scores -> reports
                 base_models  ->
"""
