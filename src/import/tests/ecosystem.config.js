// PM2
const path = require('path');
const common = { autorestart: true, max_memory_restart: '300M' };
const workers = 4;
module.exports = {
  apps: [
    {
      name: "api", script: "./server.js", cwd: path.join(__dirname, 'api'),
      args: "--port 8000 --name 'a b'",
      instances: 2, exec_mode: "cluster",
      env: { NODE_ENV: "development", PORT: 8000, URL: process.env.URL || "http://x" , T: `a${1}` },
      env_production: { NODE_ENV: "production" },
      max_memory_restart: "1G", watch: ["src", "config/*.json"], ignore_watch: ["node_modules", "*.log"], watch_delay: 1000,
      cron_restart: '0 0 * * *',
      max_restarts: 10, min_uptime: "10s", restart_delay: 4000, kill_timeout: 5000, wait_ready: true, listen_timeout: 8000,
      out_file: "./out.log", error_file: './err.log', merge_logs: true,
      stop_exit_codes: [0, 143],
    },
    { ...common, name: 'worker', script: 'worker.py', interpreter: 'python3', interpreter_args: '-u', autorestart: false, watch: true, },
    { name: 'front', script: 'npm', args: ['run', 'dev'], instances: 'max', env: {PORT: 3000} },
    { script: 'tool.sh', instances: workers, namespace: 'jobs' },
  ],
  deploy: { production: { user: 'node' } },
};
function x() { return 1 }
