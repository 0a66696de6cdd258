pip install --no-index -q ./*.whl
export FROM_HOOK=hooked
